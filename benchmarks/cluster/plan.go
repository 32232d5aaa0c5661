package main

import "time"

// A plan says how much is measured.
type plan struct {
	starts, enoughStarts int           // rounds of starting and stopping: wanted, and measured in any case
	loads, enoughLoads   int           // rounds of idling and load, alike
	settle               time.Duration // from ready to the begin of idling: what a start leaves behind has ended
	idle                 time.Duration // how long idle CPU time is taken
	objects              int           // created per kind and round
	workers              int           // that create them at the same time
	paced                time.Duration // how long objects are created at pace
	pace                 int           // objects per second
	budget               time.Duration // no further round begins that would end later
}

// planned chooses the amounts. Five starts and three loads make medians that a single hiccup does not move.
func planned(o options) plan {
	p := plan{
		starts: 5, enoughStarts: 3, loads: 3, enoughLoads: 1,
		settle: 5 * time.Second, idle: 30 * time.Second,
		objects: 2000, workers: 20, paced: 10 * time.Second, pace: 50,
		budget: 10 * time.Minute,
	}
	if o.short {
		p.starts, p.loads = 3, 1
		p.settle, p.idle, p.paced = 2*time.Second, 10*time.Second, 5*time.Second
		p.budget = 3 * time.Minute
	}
	if o.budget > 0 {
		p.budget = o.budget
	}
	return p
}

// limit is when a run is given up, however far it is: a hanging program must not hang its benchmark.
func (p plan) limit() time.Duration { return p.budget + 5*time.Minute }

// A schedule decides which round comes next: first those that are measured in any case, then as many of the wanted ones as the budget
// holds, judged by the longest so far.
type schedule struct {
	plan
	startsDone, loadsDone int
	longestStart          time.Duration
	longestLoad           time.Duration
}

// A round is one pass over all systems.
type round int

const (
	noRound round = iota
	startRound
	loadRound
)

// next returns the next round, and whether the budget alone keeps further ones from being run.
func (s *schedule) next(elapsed time.Duration) (next round, cut bool) {
	startFits := elapsed+s.longestStart <= s.budget
	loadFits := elapsed+s.longestLoad <= s.budget
	switch {
	case s.startsDone < s.enoughStarts:
		return startRound, false
	case s.loadsDone < s.enoughLoads:
		return loadRound, false
	case s.loadsDone < s.loads && loadFits:
		return loadRound, false
	case s.startsDone < s.starts && startFits:
		return startRound, false
	}
	return noRound, s.loadsDone < s.loads || s.startsDone < s.starts
}

// did takes note of a finished round.
func (s *schedule) did(r round, took time.Duration) {
	switch r {
	case startRound:
		s.startsDone++
		s.longestStart = max(s.longestStart, took)
	case loadRound:
		s.loadsDone++
		s.longestLoad = max(s.longestLoad, took)
	}
}
