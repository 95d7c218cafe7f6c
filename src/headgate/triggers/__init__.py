"""What starts imports by themselves: schedules, files that arrive, other imports that are done; and who is told.

    schedule.py   when a schedule comes, and when it came last
    watch.py      which files are whole and new
    after.py      which imports are done
    health.py     what is to be told of an import
    clock.py      from definitions, what the ledger remembers and the time to what is started
    notices.py    bringing what is to be told to those who are told
    keeper.py     doing all of this again and again

The first four are functions of what they are given. Nothing here runs an import: it is put in the queue of the ledger.
"""
