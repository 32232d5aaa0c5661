package main

import "time"

// A plan says how much is measured.
type plan struct {
	services int // loaded from nothing
	partners int // loaded from nothing, with a route there and one back
	loads    int // rounds with tokens that were opened before, and as many without

	allServices int // there are when single changes are measured
	allCallers  int // and so many inbound routes, with a token each
	batches     int // of each sort of change; a batch is a sample of CPU time
	perBatch    int

	workers int           // that create objects at the same time
	limit   time.Duration // when a run is given up, however far it is
}

// planned chooses the amounts: those of the table of what must be reached, or just enough to see that everything works.
func planned(quick bool) plan {
	if quick {
		return plan{
			services: 60, partners: 30, loads: 1, allServices: 200, allCallers: 100, batches: 2, perBatch: 4,
			workers: 8, limit: 5 * time.Minute,
		}
	}
	return plan{
		services: 3_000, partners: 1_500, loads: 5, allServices: 10_000, allCallers: 10_000, batches: 10, perBatch: 50,
		workers: 16, limit: 30 * time.Minute,
	}
}

// changes is how many there are of each sort: the batches, and one before them that only warms up.
func (p plan) changes() int { return (p.batches + 1) * p.perBatch }
