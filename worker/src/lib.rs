//! The worker: fetches tasks, runs them in the sandbox, reports.
