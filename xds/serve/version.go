package serve

import (
	"cmp"
	"strconv"
)

// A Version is a release of Envoy. Versions compare with Compare.
type Version struct{ Major, Minor, Patch uint32 }

// OldestEnvoy is the oldest release that may be served. Older ones pass over fields that they do not know, among them those that demand
// authentication.
func OldestEnvoy() Version { return Version{1, 36, 4} }

// Compare is negative when v is older than w, positive when it is newer.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch))
}

// String is the version as Envoy writes it, such as 1.36.4.
func (v Version) String() string {
	return strconv.FormatUint(uint64(v.Major), 10) + "." + strconv.FormatUint(uint64(v.Minor), 10) + "." + strconv.FormatUint(uint64(v.Patch), 10)
}
