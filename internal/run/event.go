package run

import "time"

// A Phase is a point in the life of a Task.
type Phase int

// The phases in the order in which a task passes them. Only a task under Restart returns from Waiting to Started.
const (
	// Started: the tasks that it was added after are ready, its Run has been called.
	Started Phase = iota + 1
	// Ready: it serves.
	Ready
	// Waiting: it ended by itself and will be started again.
	Waiting
	// Stopped: its Run has returned for good.
	Stopped
)

// String returns the phase as a lower-case word.
func (p Phase) String() string {
	switch p {
	case Started:
		return "started"
	case Ready:
		return "ready"
	case Waiting:
		return "waiting"
	case Stopped:
		return "stopped"
	}
	return "unknown"
}

// An Event tells that a task has entered a phase.
type Event struct {
	Task  string // Task.String of the task
	Phase Phase
	// Took is how long the phase was in coming: for Ready and Waiting since the task started, for Stopped since it was
	// asked to stop, or since it started when nobody had asked.
	Took time.Duration
	// Retry is, for Waiting, the pause before the next start.
	Retry time.Duration
	// Err is, for Waiting and Stopped, why the task ended; nil after an orderly stop.
	Err error
}
