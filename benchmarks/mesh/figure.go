package main

import "github.com/entente-mesh/entente/benchmarks/report"

// The figures' keys of a load from nothing. Those of tokens that wait for their RSA opens come from rounds of their own.
const (
	loadOurs     = "LoadOurs"
	loadMesh     = "LoadUntilMesh"
	loadCommit   = "LoadUntilCommit"
	loadCPU      = "LoadCPU"
	loadFeedCPU  = "LoadFeedCPU"
	loadAPI      = "LoadAPIServerCPU"
	loadEnvoy    = "LoadEnvoy"
	loadEnvoyCPU = "LoadEnvoyCPU"
	loadOpen     = "LoadGatewayOpen"
	loadLag      = "LoadLiveToOpen"
	loadAll      = "LoadConfirmed"
	coldOpen     = "LoadColdGatewayOpen"
	coldTokens   = "LoadColdTokens"
	coldOpens    = "LoadColdOpensCPU"
)

// A change has the same figures for each sort; these are put behind the sort's key.
const (
	changeBytes   = "Bytes"
	changeCPU     = "CPU"
	changeP50     = "ConfirmP50"
	changeP99     = "ConfirmP99"
	changeEvent   = "WriteToEventP50"
	changeOpenCPU = "OpenCPU"
)

// figures are the rows of the table. What must be reached is what the project asks of its mesh.
func figures() []report.Figure {
	millis := func(key, title string, reach float64) report.Figure {
		return report.Figure{Key: key, Title: title, Unit: "sec", Shown: "ms", Scale: 1e3, Digits: 0, Reach: reach}
	}
	cpu := func(key, title string, reach float64) report.Figure {
		return report.Figure{Key: key, Title: title, Unit: "cpu-sec", Shown: "ms", Scale: 1e3, Digits: 0, Reach: reach}
	}
	rows := []report.Figure{
		millis(loadOurs, "load: ours, without RSA opens", 1),
		millis(loadMesh, "load: of it until the first mesh", 0),
		millis(loadCommit, "load: of it until committed", 0),
		cpu(loadFeedCPU, "load: of it CPU while Envoy takes it in", 0),
		cpu(loadCPU, "load: our CPU in all", 1),
		cpu(loadAPI, "load: the API server's CPU", 0),
		millis(loadEnvoy, "load: Envoy's own", 0),
		cpu(loadEnvoyCPU, "load: Envoy's CPU", 0),
		millis(loadOpen, "load: start to gateway open", 0),
		millis(loadLag, "load: Envoy live to gateway open", 0),
		millis(loadAll, "load: start to all confirmed", 0),
		millis(coldOpen, "load, tokens sealed: start to gateway open", 0),
		millis(coldTokens, "load, tokens sealed: start to last token in the mesh", 0),
		cpu(coldOpens, "load, tokens sealed: CPU of the RSA opens", 0),
	}
	for _, s := range sorts() {
		short := func(f report.Figure) report.Figure {
			f.Digits = 2
			return f
		}
		rows = append(rows,
			report.Figure{Key: s.key + changeBytes, Title: s.title + ": pushed", Unit: "B", Shown: "kB", Scale: 1e-3, Digits: 2, Reach: s.bytes},
			short(cpu(s.key+changeCPU, s.title+": our CPU", 1e-3)),
			short(millis(s.key+changeP50, s.title+": event to confirmed, p50", 5e-3)),
			short(millis(s.key+changeP99, s.title+": event to confirmed, p99", 0)),
			short(millis(s.key+changeEvent, s.title+": API write to event, p50", 0)))
		if s.sealed {
			rows = append(rows, short(cpu(s.key+changeOpenCPU, s.title+": CPU of its RSA open, apart", 0)))
		}
	}
	return rows
}
