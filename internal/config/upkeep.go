package config

import "time"

// LogRotate bounds the log files of the node and its pods.
type LogRotate struct {
	MaxFiles      int // files kept of each log; default 5
	MaxFileSizeMB int // size at which a new one begins, in MiB; default 512
	MaxAgeDays    int // after which a file goes; default 30
}

func defaultLogRotate() LogRotate { return LogRotate{MaxFiles: 5, MaxFileSizeMB: 512, MaxAgeDays: 30} }

func (l *LogRotate) keys() []key {
	return []key{
		number("maxFiles", &l.MaxFiles, 0, anyCount).like("5").means("Files kept of each log."),
		number("maxFileSizeMB", &l.MaxFileSizeMB, 1, 1<<20).like("512").means("Size in MiB at which a new file begins."),
		number("maxAgeDays", &l.MaxAgeDays, 0, anyCount).like("30").means("Days after which a file goes."),
	}
}

// GarbageCollection is how long finished things are kept; modes master, autonomy.
type GarbageCollection struct {
	KusciaDomainDataGC DomainDataGC
	KusciaJobGC        JobGC
}

// DomainDataGC removes old domain data that engines have made.
type DomainDataGC struct {
	Enable   bool          // default false
	Duration time.Duration // age at which it goes; hours in the file; default 720 h
}

// JobGC removes finished jobs.
type JobGC struct {
	Duration time.Duration // time since the job's end; hours in the file; default 720 h
}

func defaultGarbageCollection() GarbageCollection {
	return GarbageCollection{KusciaDomainDataGC: DomainDataGC{Duration: 720 * time.Hour}, KusciaJobGC: JobGC{Duration: 720 * time.Hour}}
}

func (g *GarbageCollection) keys() []key {
	return []key{
		group("kusciaDomainDataGC", []key{
			flag("enable", &g.KusciaDomainDataGC.Enable).means("Removes old domain data that engines have made."),
			span("durationHours", &g.KusciaDomainDataGC.Duration, time.Hour).like("720").means("Hours after which it goes."),
		}).means("Domain data that engines have made."),
		group("kusciaJobGC", []key{
			span("durationHours", &g.KusciaJobGC.Duration, time.Hour).like("720").means("Hours after its end at which a job goes."),
		}).means("Finished jobs."),
	}
}
