package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"gopkg.in/natefinch/lumberjack.v2"
)

// An output takes what a child writes to its standard output and error, in bounded space.
type output interface {
	// attach gives the command its output. The caller calls detach when the command has been started.
	attach(*exec.Cmd) (detach func(), err error)
	// keep does what has to be done from time to time until ctx ends.
	keep(ctx context.Context)
	// size is the length of the log file now.
	size() int64
}

func newOutput(c Config) output {
	if c.Mode == Adopted {
		return &fileOutput{log: c.Log, archive: c.Log.rotating(archiveName(c.Log.File)), every: 10 * time.Second, logger: c.Logger}
	}
	return &pipeOutput{file: c.Log.File, to: c.Log.rotating(c.Log.File), logger: c.Logger}
}

// rotating returns a writer that puts full files aside and deletes old ones. It leaves one goroutine behind for good.
func (l Log) rotating(file string) *lumberjack.Logger {
	return &lumberjack.Logger{Filename: file, MaxSize: l.MaxSizeMB, MaxBackups: l.MaxFiles, MaxAge: l.MaxAgeDays}
}

// A pipeOutput is the output of a bound child: a pipe to us, and from us to the file.
type pipeOutput struct {
	file   string
	to     *lumberjack.Logger
	logger *slog.Logger
	once   sync.Once // reports the first lost output
}

func (o *pipeOutput) attach(cmd *exec.Cmd) (func(), error) {
	cmd.Stdout, cmd.Stderr = o, o // the same writer, hence one pipe: lines stay in order
	return func() {}, nil
}

func (o *pipeOutput) keep(ctx context.Context) {
	<-ctx.Done()
	_ = o.to.Close() // each line was written as it came
}

func (o *pipeOutput) size() int64 { return fileSize(o.file) }

// Write never fails: a full disk must not close the pipe, since that would kill the child.
func (o *pipeOutput) Write(b []byte) (int, error) {
	if _, err := o.to.Write(b); err != nil {
		o.once.Do(func() { o.logger.Error("output of a child is lost", "file", o.file, "error", err) })
	}
	return len(b), nil
}

// A fileOutput is the output of an adopted child: a file that the child itself holds open for appending, since a pipe
// would break with the parent. What is too long is moved from its head to an archive file, which rotates.
//
// The file is looked at now and then, so it can grow beyond its limit by what the child writes in between, and it grows
// while no parent runs.
type fileOutput struct {
	log     Log
	archive *lumberjack.Logger
	every   time.Duration
	logger  *slog.Logger
}

func (o *fileOutput) attach(cmd *exec.Cmd) (func(), error) {
	f, err := openAppend(o.log.File)
	if err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	cmd.Stdout, cmd.Stderr = f, f
	return func() { _ = f.Close() }, nil // nothing was written through it
}

func (o *fileOutput) keep(ctx context.Context) {
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	for reported := false; ; {
		if err := o.shorten(); err != nil && !reported {
			o.logger.ErrorContext(ctx, "log file of a child cannot be rotated", "file", o.log.File, "error", err)
			reported = true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (o *fileOutput) size() int64 { return fileSize(o.log.File) }

// shorten moves the head of a file that is full to the archive. Where the file system can cut off the head of a file (ext4,
// xfs), nothing is lost, and the cut may be amid a line. Elsewhere the whole file is copied and emptied, and what the
// child writes in the microseconds between is lost. A parent that is killed in between leaves the head in both files.
func (o *fileOutput) shorten() (err error) {
	f, err := os.OpenFile(o.log.File, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // nothing was written through it
	info, err := f.Stat()
	if err != nil || info.Size() < int64(o.log.MaxSizeMB)<<20 {
		return err
	}
	defer func() {
		if closing := o.archive.Close(); err == nil {
			err = closing
		}
	}()
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return err
	}
	head := (info.Size() - 1) / fs.Bsize * fs.Bsize // whole blocks, and never the whole file: the kernel's conditions
	if err := o.put(io.LimitReader(f, head)); err != nil {
		return err
	}
	if unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_COLLAPSE_RANGE, 0, head) == nil {
		return nil
	}
	if err := o.put(f); err != nil {
		return err
	}
	return f.Truncate(0)
}

// put copies into the archive, in pieces of one archive file. Archive files have the time in their names, to the
// millisecond, and of two with the same name the first would be lost; so there is a pause after each piece.
func (o *fileOutput) put(from io.Reader) error {
	for {
		_, err := io.CopyN(o.archive, from, int64(o.log.MaxSizeMB)<<20)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// openAppend opens a log file for appending. Only its owner can read it: it may tell more than it should.
func openAppend(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// archiveName names the archive of a log file: envoy.old.log for envoy.log.
func archiveName(file string) string {
	ext := filepath.Ext(file)
	return strings.TrimSuffix(file, ext) + ".old" + ext
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0 // it is about to be created
	}
	return info.Size()
}

// tail returns the last lines of a file after the offset, at most ten lines and 4 KiB; from its start if it has become
// shorter since. It is for people and returns what it can get.
func tail(path string, from int64) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // only read from
	size := fileSize(path)
	if from > size {
		from = 0
	}
	from = max(from, size-4096)
	text, err := io.ReadAll(io.NewSectionReader(f, from, size-from))
	if err != nil {
		return nil
	}
	text = bytes.TrimSpace(bytes.ToValidUTF8(text, []byte("?")))
	if len(text) == 0 {
		return nil
	}
	lines := strings.Split(string(text), "\n")
	return lines[max(0, len(lines)-10):]
}
