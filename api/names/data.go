package names

import "strings"

// DataSuffix is how many random characters end a generated id of a data set, data source or grant.
const DataSuffix = 16

// DomainDataGrantPrefix begins generated ids of grants.
const DomainDataGrantPrefix = "domaindatagrant"

// DomainDataID is the id of a data set that its maker gave only a name: what of the name may stand in an id, at most 16 characters from
// the first letter on, and random, which is DataSuffix lower-case letters and digits. A name without a letter counts as domaindata.
func DomainDataID(name, random string) string {
	const limit = 16
	kept := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || isLetter(byte(r)) || isDigit(byte(r))) {
			return r
		}
		return -1
	}, strings.ToLower(name))
	kept = strings.TrimLeft(kept, "-0123456789")
	if kept == "" {
		kept = "domaindata"
	}
	return kept[:min(len(kept), limit)] + "-" + random
}

// DataSourceID is the id of a data source that its maker gave only a type.
func DataSourceID(typ, random string) string { return typ + "-" + random }

// DomainDataGrantID is the id of a grant that its maker gave none.
func DomainDataGrantID(random string) string { return DomainDataGrantPrefix + "-" + random }
