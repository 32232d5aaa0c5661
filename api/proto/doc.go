// Package proto holds the messages that Entente shares with other programs: .proto files and, in the packages below this one, the Go code
// made from them. It promises the original's packages, names and field numbers, pinned by testdata/messages.txt, and the JSON shapes
// that were measured on the wire, pinned by the vectors in testdata.
//
// The files keep the original's layout below this folder, and import each other as kuscia/proto/api/<path>. With protoc:
//
//	protoc -Ikuscia/proto/api=api/proto …
//
// To add a file, put it beside the others, write its lines into testdata/messages.txt, and run go generate.
package proto

//go:generate go -C ../../tools run ./protogen -dir ../api/proto -prefix kuscia/proto/api -module github.com/entente-mesh/entente/api/proto
