package translate

import (
	"path"
	"slices"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	filelogv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/file/v3"
)

// Columns of the access logs, as the original's and as its `kuscia diagnose log` reads them. Paths are cut so that a stranger's request cannot
// write more than a few kilobytes. The two last columns of the main logs were bodies, which the original seldom and this gateway never writes down.
const (
	columnsFrom  = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% - [%START_TIME(%d/%b/%Y:%H:%M:%S %z)%] "
	columnsWhat  = ` "%REQ(:METHOD)% %REQ(:PATH):1024% %PROTOCOL%" %REQ(X-B3-TRACEID):64% %REQ(X-B3-SPANID):64% %RESPONSE_CODE% %RESPONSE_FLAGS%`
	columnsBytes = " %REQ(CONTENT-LENGTH):20% %UPSTREAM_WIRE_BYTES_RECEIVED% %DURATION%"
	columnsTimes = " %REQUEST_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%"

	columnsExternal = columnsFrom + "%REQ(KUSCIA-SOURCE):64% %REQ(KUSCIA-HOST?:AUTHORITY):255%" + columnsWhat + columnsBytes + " - -\n"
	columnsInternal = columnsFrom + "%REQ(KUSCIA-SOURCE):64% %REQ(KUSCIA-HOST?:AUTHORITY):255%" + columnsWhat + columnsBytes + columnsTimes + " - -\n"
	columnsApart    = columnsFrom + "%REQ(:AUTHORITY):255%" + columnsWhat + columnsBytes + columnsTimes + "\n"
)

// A journal is one access log: whose paths begin so.
type journal struct {
	file     string
	prefixes []string
}

// apart are the logs of what would drown everything else.
func apart() []journal {
	return []journal{
		{file: "kubernetes.log", prefixes: []string{"/api/", "/apis/"}},
		{file: "prometheus.log", prefixes: []string{"/prometheus"}},
		{file: "zipkin.log", prefixes: []string{"/zipkin"}},
	}
}

// journals are the access logs of a listener: each request stands in one of them. main is the name of the log for what has none of its own.
func (p *packer) journals(folder, main, columns string) []*accesslogv3.AccessLog {
	if folder == "" {
		return nil
	}
	var all []*accesslogv3.AccessLog
	var rest []*accesslogv3.AccessLogFilter
	for _, j := range apart() {
		var mine []*accesslogv3.AccessLogFilter
		for _, prefix := range j.prefixes {
			mine = append(mine, logged(headerHas(":path", prefix)))
			rest = append(rest, logged(not(headerHas(":path", prefix))))
		}
		all = append(all, p.journal(path.Join(folder, j.file), columnsApart, either(mine)))
	}
	return slices.Insert(all, 0, p.journal(path.Join(folder, main), columns, &accesslogv3.AccessLogFilter{
		FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{AndFilter: &accesslogv3.AndFilter{Filters: rest}},
	}))
}

func (p *packer) journal(file, columns string, filter *accesslogv3.AccessLogFilter) *accesslogv3.AccessLog {
	return &accesslogv3.AccessLog{
		Name:   "envoy.access_loggers.file",
		Filter: filter,
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: p.pack(&filelogv3.FileAccessLog{
			Path: file,
			AccessLogFormat: &filelogv3.FileAccessLog_LogFormat{LogFormat: &corev3.SubstitutionFormatString{
				Format: &corev3.SubstitutionFormatString_TextFormatSource{TextFormatSource: &corev3.DataSource{
					Specifier: &corev3.DataSource_InlineString{InlineString: columns},
				}},
			}},
		})},
	}
}

func logged(h *routev3.HeaderMatcher) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_HeaderFilter{HeaderFilter: &accesslogv3.HeaderFilter{Header: h}}}
}

// either is met by what meets one of them. Envoy takes no list of one.
func either(filters []*accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	if len(filters) == 1 {
		return filters[0]
	}
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_OrFilter{OrFilter: &accesslogv3.OrFilter{Filters: filters}}}
}

// AccessLogs are the files that the listeners of a gateway with this folder of logs write.
func AccessLogs(folder string) []string {
	files := []string{path.Join(folder, logExternal), path.Join(folder, logInternal)}
	for _, j := range apart() {
		files = append(files, path.Join(folder, j.file))
	}
	return files
}
