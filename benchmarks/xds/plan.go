package main

import "time"

// A plan says how much is measured.
type plan struct {
	crowds   []int // how many streams wait for one change
	watched  int   // resources that each of them asks for
	confirms int   // changes in a round
	sizes    []int // how many resources there are, for the cost of a change
	streams  int   // that are sent it
	costs    int   // changes in a round
	commits  int
	idle     int // streams that do nothing
	held     int // resources that each of them has
	fleet    int // clients that reconnect
	fleetHas int // resources that each of them has
	rounds   int
	budget   time.Duration // for the changes of one round of one system
	silence  time.Duration // after which a server has nothing to say, where a known bug is looked for
}

// planned chooses the amounts: those that the figures to reach are about, or few enough for a test.
func planned(quick bool) plan {
	if quick {
		return plan{
			crowds: []int{50}, watched: 10, confirms: 10, sizes: []int{100, 1_000}, streams: 10, costs: 10, commits: 200,
			idle: 200, held: 10, fleet: 100, fleetHas: 50, rounds: 1, budget: 2 * time.Second, silence: 150 * time.Millisecond,
		}
	}
	return plan{
		crowds: []int{1_000, 5_000}, watched: 100, confirms: 100, sizes: []int{1_000, 10_000, 100_000}, streams: 100, costs: 200, commits: 20_000,
		idle: 10_000, held: 100, fleet: 5_000, fleetHas: 500, rounds: 3, budget: 8 * time.Second, silence: 500 * time.Millisecond,
	}
}
