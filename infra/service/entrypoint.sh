#!/bin/sh
# The job /job/NAME.yaml, live; its state is in /state/NAME.
set -eu
exec tocsin run "/job/$1.yaml" --live --checkpoint "/state/$1"
