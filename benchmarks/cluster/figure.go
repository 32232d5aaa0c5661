package main

import "github.com/entente-mesh/entente/benchmarks/report"

// The figures' keys.
const (
	readyFresh   = "ReadyFresh"
	readyOld     = "ReadyOld"
	readyFull    = "ReadyFull"
	costFresh    = "ReadyFreshCPU"
	costOld      = "ReadyOldCPU"
	stopIdle     = "StopIdle"
	stopLoaded   = "StopAfterLoad"
	refused      = "WrongConfigRefused"
	idleResident = "IdleResident"
	idleAnon     = "IdleAnonymous"
	idleCPU      = "IdleCPU"
	loadResident = "ResidentAfterLoad"
	diskAfter    = "DiskAfterLoad"
	binarySize   = "BinarySize"
	buildWall    = "ColdBuildWall"
	buildCPU     = "ColdBuildCPU"
)

// A load has the same figures for each kind of object; these are put behind the kind's key.
const (
	rate      = "Creates"
	serverCPU = "ServerCPU"
	watchP50  = "WatchP50"
	watchP99  = "WatchP99"
	paceP50   = "PacedCreateP50"
	paceP99   = "PacedCreateP99"
	seenP50   = "PacedWatchP50"
	seenP99   = "PacedWatchP99"
)

// figures are the rows of the table. What must be reached is what the project asks of its ground.
func figures() []report.Figure {
	seconds := func(key, title string, reach float64) report.Figure {
		return report.Figure{Key: key, Title: title, Unit: "sec", Shown: "s", Digits: 2, Reach: reach}
	}
	millis := func(key, title string) report.Figure {
		return report.Figure{Key: key, Title: title, Unit: "sec", Shown: "ms", Scale: 1e3, Digits: 1}
	}
	megabytes := func(key, title string) report.Figure {
		return report.Figure{Key: key, Title: title, Unit: "B", Shown: "MB", Scale: 1e-6}
	}
	rows := []report.Figure{
		seconds(readyFresh, "ready after start, fresh folder", 2.5),
		seconds(readyOld, "ready after start, old data", 2.5),
		seconds(readyFull, "ready after start, data of the load", 2.5),
		{Key: costFresh, Title: "CPU until ready, fresh folder", Unit: "cpu-sec", Shown: "s", Digits: 2},
		{Key: costOld, Title: "CPU until ready, old data", Unit: "cpu-sec", Shown: "s", Digits: 2},
		seconds(stopIdle, "stopped after SIGTERM", 5),
		seconds(stopLoaded, "stopped after SIGTERM, after the load", 5),
		seconds(refused, "wrong configuration refused", 1),
		megabytes(idleResident, "idle: resident memory"),
		megabytes(idleAnon, "idle: anonymous memory"),
		{Key: idleCPU, Title: "idle: CPU, of one core", Unit: "cpu-sec/sec", Shown: "%", Scale: 100, Digits: 1},
	}
	for _, k := range kinds() {
		rows = append(rows,
			report.Figure{Key: k.key + rate, Title: k.title + ": creates, 20 workers", Unit: "creates/sec", Shown: "/s", Better: report.Higher},
			report.Figure{Key: k.key + serverCPU, Title: k.title + ": server CPU per 1000 creates", Unit: "cpu-sec", Shown: "s", Digits: 2},
			millis(k.key+watchP50, k.title+": send to watch event, p50"),
			millis(k.key+watchP99, k.title+": send to watch event, p99"))
	}
	return append(rows,
		millis(paceP50, "at 50 creates/s: create, p50"),
		millis(paceP99, "at 50 creates/s: create, p99"),
		millis(seenP50, "at 50 creates/s: send to watch event, p50"),
		millis(seenP99, "at 50 creates/s: send to watch event, p99"),
		megabytes(loadResident, "after the load: resident memory"),
		megabytes(diskAfter, "after the load: data on disk"),
		report.Figure{Key: binarySize, Title: "size of the binary", Unit: "B", Shown: "MB", Scale: 1e-6, Digits: 1},
		report.Figure{Key: buildWall, Title: "cold build", Unit: "sec", Shown: "s"},
		report.Figure{Key: buildCPU, Title: "cold build: CPU time", Unit: "cpu-sec", Shown: "s"},
	)
}
