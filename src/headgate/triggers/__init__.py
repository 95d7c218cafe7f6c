"""What starts imports by themselves: schedules, files that arrive, other imports that are done."""
