"""Sweeps: many runs started by one command, which is also the command that resumes them.

`runs/sweep-<name>/` holds:

sweep.json     what was asked for, and the state of each job
sweep.csv      the jobs as a table
report.html    the jobs as a page, written when the sweep ends
<job>/         a run's folder like any other, with job.json and stderr.txt
"""
