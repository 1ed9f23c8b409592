"""The command `tocsin`, one file for each verb. Only verbs that run a job import Beam."""
