package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/entente-mesh/entente/internal/lab/fabric"
	"golang.org/x/sys/unix"
)

// maxMessage bounds one message. It stays under the kernel's usual socket buffer of 208 KiB and leaves ample room for the
// longest part, the environment of a process.
const maxMessage = 160 << 10

// maxFiles is the kernel's bound on files in one message, SCM_MAX_FD.
const maxFiles = 253

// question is what a caller asks of the holder; exactly one field is set. But for Build, the first file that comes with it
// is the socket for the answers; the asker takes the question back by closing its end.
type question struct {
	Build  *buildQuestion  `json:",omitempty"`
	Start  *startQuestion  `json:",omitempty"`
	Socket *socketQuestion `json:",omitempty"`
	Link   *linkQuestion   `json:",omitempty"`
}

// buildQuestion is the first one and the only one that is answered on the control socket itself.
type buildQuestion struct {
	Nodes []string
	Dir   string
	Seed  uint64
}

// startQuestion starts a process; its files from 0 on are those after the answer socket. The first answer carries the
// process's pidfd, the second one its end. Between them the asker may send signals.
type startQuestion struct {
	Node int
	Path string
	Args []string
	Env  []string
	Dir  string
}

// socketQuestion opens a socket in a node; the answer carries it.
type socketQuestion struct {
	Node    int
	Kind    socketKind
	Network string
	Address string
}

// socketKind is what a socket is opened for.
type socketKind string

const (
	dialSocket   socketKind = "dial"
	listenSocket socketKind = "listen"
	packetSocket socketKind = "packet"
)

// linkQuestion sets the condition between two nodes.
type linkQuestion struct {
	A, B int
	Condition
}

// signalMessage is what the asker of a startQuestion may send afterwards.
type signalMessage struct{ Signal syscall.Signal }

// answer is what the holder says; no field set means done.
type answer struct {
	Failure *failure            `json:",omitempty"`
	Notes   []string            `json:",omitempty"`
	Exit    *syscall.WaitStatus `json:",omitempty"`
}

// failure is an error that crossed the wire: its text, and the system's error number for errors.Is.
type failure struct {
	Step  string
	Text  string
	Errno syscall.Errno
}

// newFailure packs err for the wire. Step names what the holder was doing while it built the lab; an error of the fabric
// knows its own; else it is empty.
func newFailure(step string, err error) *failure {
	f := &failure{Step: step, Text: err.Error(), Errno: errnoOf(err)}
	if of, ok := errors.AsType[*fabric.Error](err); ok {
		f.Step, f.Text = of.Step, of.Err.Error()
	}
	return f
}

func (f *failure) Error() string {
	if f.Step == "" {
		return f.Text
	}
	return f.Step + ": " + f.Text
}

func (f *failure) Unwrap() error {
	if f.Errno == 0 {
		return nil
	}
	return f.Errno
}

// errnoOf is the system's error number inside err, or 0.
func errnoOf(err error) syscall.Errno {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return 0
}

// channel is one end of a pair of sockets that carry whole messages and open files.
type channel struct{ conn *net.UnixConn }

// newChannel makes a pair: this process's end, and the other as a file to hand over.
func newChannel() (*channel, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "lab channel")
	mine, err := openChannel(fds[0])
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return mine, theirs, nil
}

// openChannel takes over fd.
func openChannel(fd int) (*channel, error) {
	f := os.NewFile(uintptr(fd), "lab channel")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("file %d is a %T, not a lab's socket", fd, conn)
	}
	return &channel{conn: u}, nil
}

// send sends v and duplicates of files as one message. It is safe for concurrent use.
func (c *channel) send(v any, files ...int) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(body) > maxMessage {
		return fmt.Errorf("message of %d bytes: at most %d fit; shorten the environment or the arguments", len(body), maxMessage)
	}
	if len(files) > maxFiles {
		return fmt.Errorf("%d open files: at most %d can be passed", len(files), maxFiles)
	}
	var oob []byte
	if len(files) > 0 {
		oob = unix.UnixRights(files...)
	}
	_, _, err = c.conn.WriteMsgUnix(body, oob, nil)
	return err
}

// receive reads one message into v and returns the files that came with it.
func (c *channel) receive(v any) ([]*os.File, error) {
	body, oob := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4*maxFiles))
	n, oobn, flags, _, err := c.conn.ReadMsgUnix(body, oob)
	if err != nil {
		return nil, err
	}
	files, err := rights(oob[:oobn])
	if err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = errors.New("a message or its files were cut off: is the limit of open files (ulimit -n) reached?")
	}
	if err == nil {
		err = json.Unmarshal(body[:n], v)
	}
	if err != nil {
		closeAll(files)
		return nil, err
	}
	return files, nil
}

// interrupt makes the pending and all later reads fail.
func (c *channel) interrupt() {
	_ = c.conn.SetReadDeadline(time.Unix(1, 0)) // It fails on a closed socket only, whose reads fail already.
}

// close ends the conversation; the other end reads end-of-file.
func (c *channel) close() {
	_ = c.conn.Close() // Nothing is buffered that could be lost.
}

// rights unpacks the files of a message.
func rights(oob []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			closeAll(files)
			return nil, err
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "passed file"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// isHangup reports whether err says that the other end, or this one, is closed.
func isHangup(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET)
}
