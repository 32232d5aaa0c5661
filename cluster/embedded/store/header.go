package store

import (
	"encoding/binary"
	"fmt"
)

const (
	headerSize  = 100 // bytes; SQLite file format §1.3
	headerMagic = "SQLite format 3\x00"
)

// headerProblem says what is wrong with the first bytes of a database file of the given size, or returns "".
// With a write-ahead log beside it the file may rightly be shorter than its header says: a process that died during a
// checkpoint left the missing pages in the log. Without one the length is checked, which tells a truncated copy at once.
func headerProblem(head []byte, size int64, hasLog bool) string {
	if len(head) < headerSize {
		return fmt.Sprintf("it is %d bytes long, shorter than a database header", size)
	}
	if string(head[:16]) != headerMagic {
		return "it does not begin like an SQLite database"
	}
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 65536
	}
	if page < 512 || page&(page-1) != 0 {
		return fmt.Sprintf("its page size %d is impossible", page)
	}
	// The page count is valid only if the change counter equals version-valid-for (§1.3.8).
	counted := binary.BigEndian.Uint32(head[24:]) == binary.BigEndian.Uint32(head[92:])
	pages := int64(binary.BigEndian.Uint32(head[28:]))
	if !hasLog && counted && pages > 0 && size < pages*page {
		return fmt.Sprintf("it is truncated: %d bytes of %d are there", size, pages*page)
	}
	return ""
}
