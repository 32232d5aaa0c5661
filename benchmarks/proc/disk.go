package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// OnDisk returns how many bytes the files below the folders take on the disk: what is allocated, so that a log file that was made
// long in advance counts in full and a hole does not. Files that vanish meanwhile are left out.
func OnDisk(folders ...string) (int64, error) {
	var sum int64
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(_ string, d fs.DirEntry, err error) error {
			if err == nil {
				var info fs.FileInfo
				if info, err = d.Info(); err == nil {
					sum += allocated(info)
				}
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("measure %s: %w", folder, err)
		}
	}
	return sum, nil
}

func allocated(info fs.FileInfo) int64 {
	const block = 512 // stat(2): the unit of st_blocks, whatever the file system's own blocks are
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * block
	}
	return info.Size()
}
