"""Maintenance: what is removed when, by one worker at a time, and how large things have grown.

Owns `maintenance_runs`: an unfinished run is the lease of its task. A batch of work, its count and the renewal of the
lease are one transaction, so a run that is killed anywhere has removed exactly what it counted, and whoever lost the
lease commits nothing more.
"""

from ostiary.features.maintenance.lease import Lease, LeaseLost, Stopped
from ostiary.features.maintenance.model import (
    Figures,
    Finished,
    Held,
    IndexFigures,
    Outcome,
    Retention,
    Run,
    TableFigures,
    TaskFigures,
)
from ostiary.features.maintenance.schedule import Schedule, Task, TaskStatus, daily, every, weekly
from ostiary.features.maintenance.service import Maintenance, UnknownTask
from ostiary.features.maintenance.statistics import Statistics
from ostiary.features.maintenance.tasks import purge_task, standard_tasks

__all__ = [
    "Figures",
    "Finished",
    "Held",
    "IndexFigures",
    "Lease",
    "LeaseLost",
    "Maintenance",
    "Outcome",
    "Retention",
    "Run",
    "Schedule",
    "Statistics",
    "Stopped",
    "TableFigures",
    "Task",
    "TaskFigures",
    "TaskStatus",
    "UnknownTask",
    "daily",
    "every",
    "purge_task",
    "standard_tasks",
    "weekly",
]
