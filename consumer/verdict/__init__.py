"""Says what a session's data are worth: one pure function of what stands, calendar, schedule, plan and the present."""
