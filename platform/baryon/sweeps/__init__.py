"""Sweeps: many runs by one command, which is also the command that goes on with them.

runs/sweep-<name>/sweep.json     what was asked for, and where each job stands
runs/sweep-<name>/sweep.csv      the jobs as a table
runs/sweep-<name>/<job>/         a run's folder like any other, with job.json and stderr.txt
"""
