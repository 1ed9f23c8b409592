"""The command `tocsin`: one file a verb. Beam is imported only by the verbs that run a job."""
