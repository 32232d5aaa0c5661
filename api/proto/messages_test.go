package proto_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/entente-mesh/entente/api/proto/v1alpha1"
	_ "github.com/entente-mesh/entente/api/proto/v1alpha1/handshake"
)

const (
	importPrefix  = "kuscia/proto/api/"
	packagePrefix = "kuscia.proto.api."
)

// TestEveryWordOfTheFilesIsPinned compares both ways: a name, number or type that changed, came or went without its line in
// testdata/messages.txt fails, and so does a line that nothing answers to.
func TestEveryWordOfTheFilesIsPinned(t *testing.T) {
	t.Parallel()
	pinned, err := os.ReadFile("testdata/messages.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(pinned)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			want = append(want, line)
		}
	}
	var got []string
	for _, f := range protoFiles(t) {
		d, err := protoregistry.GlobalFiles.FindFileByPath(importPrefix + f)
		if err != nil {
			t.Fatalf("%s: %v; run go generate ./api/proto, and import its Go package in this test", f, err)
		}
		got = append(got, fileWords(d)...)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the messages differ from testdata/messages.txt (-pinned +built):\n%s", diff)
	}
}

func protoFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, _ fs.DirEntry, err error) error {
		if path.Ext(name) == ".proto" {
			files = append(files, name)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("no .proto files found: %v", err)
	}
	return files
}

func fileWords(f protoreflect.FileDescriptor) []string {
	words := []string{fmt.Sprintf("file %s %s", f.Path(), f.Package())}
	words = append(words, enumWords(f.Enums())...)
	words = append(words, messageWords(f.Messages())...)
	for i := range f.Services().Len() {
		s := f.Services().Get(i)
		for j := range s.Methods().Len() {
			m := s.Methods().Get(j)
			words = append(words, fmt.Sprintf("method %s %s %s -> %s", short(s), m.Name(),
				streamed(m.IsStreamingClient(), m.Input()), streamed(m.IsStreamingServer(), m.Output())))
		}
	}
	return words
}

func enumWords(es protoreflect.EnumDescriptors) []string {
	var words []string
	for i := range es.Len() {
		for j := range es.Get(i).Values().Len() {
			v := es.Get(i).Values().Get(j)
			words = append(words, fmt.Sprintf("enum %s %s %d", short(es.Get(i)), v.Name(), v.Number()))
		}
	}
	return words
}

func messageWords(ms protoreflect.MessageDescriptors) []string {
	var words []string
	for i := range ms.Len() {
		m := ms.Get(i)
		if m.IsMapEntry() {
			continue
		}
		for j := range m.Fields().Len() {
			f := m.Fields().Get(j)
			words = append(words, fmt.Sprintf("field %s %s %d %s", short(m), f.Name(), f.Number(), fieldType(f)))
		}
		if m.Fields().Len() == 0 {
			words = append(words, "message "+short(m)) // else it would come and go unseen
		}
		words = append(words, enumWords(m.Enums())...)
		words = append(words, messageWords(m.Messages())...)
	}
	return words
}

func fieldType(f protoreflect.FieldDescriptor) string {
	if f.IsMap() {
		return fmt.Sprintf("map<%s,%s>", fieldType(f.MapKey()), fieldType(f.MapValue()))
	}
	name := f.Kind().String()
	switch {
	case f.Message() != nil:
		name = short(f.Message())
	case f.Enum() != nil:
		name = short(f.Enum())
	}
	switch {
	case f.IsList():
		return "repeated " + name
	case f.HasOptionalKeyword():
		return "optional " + name
	case f.ContainingOneof() != nil:
		return fmt.Sprintf("oneof(%s) %s", f.ContainingOneof().Name(), name)
	}
	return name
}

func streamed(stream bool, m protoreflect.MessageDescriptor) string {
	if stream {
		return "stream " + short(m)
	}
	return short(m)
}

func short(d protoreflect.Descriptor) string {
	return strings.TrimPrefix(string(d.FullName()), packagePrefix)
}
