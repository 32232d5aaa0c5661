// Command protogen writes the Go code of a folder of .proto files: it compiles them in process, refuses an undocumented word, and
// hands the result to protoc-gen-go, so that a build needs neither protoc nor anything outside the module graph.
//
// The files of the folder are known to each other, and to reflection at run time, under a prefix that repeats their protobuf package
// (kuscia/proto/api/v1alpha1/common.proto for v1alpha1/common.proto with -prefix kuscia/proto/api): the names under which existing
// clients import them, and unlike v1alpha1/common.proto no name that another module in the same binary could register first.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	dir := flag.String("dir", ".", "the folder that holds the .proto files and receives the Go files beside them")
	prefix := flag.String("prefix", "", "the path under which the files import each other")
	module := flag.String("module", "", "the import path of the folder; each go_package must lie below it")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := generate(ctx, *dir, *prefix, *module); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1)
	}
}

// generate replaces the generated Go files below dir by those of today's .proto files.
func generate(ctx context.Context, dir, prefix, module string) error {
	if prefix == "" || module == "" {
		return errors.New("-prefix or -module is empty; give both")
	}
	names, err := sources(dir, prefix)
	if err != nil {
		return err
	}
	files, err := compile(ctx, dir, prefix, names)
	if err != nil {
		return err
	}
	if err := documented(files); err != nil {
		return err
	}
	response, err := plugin(ctx, request(files, names, module))
	if err != nil {
		return err
	}
	if err := removeGenerated(dir); err != nil {
		return err
	}
	for _, f := range response.GetFile() {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(f.GetName())), []byte(f.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// removeGenerated removes what an earlier run wrote, so that the Go code of a .proto file that is gone goes too.
func removeGenerated(dir string) error {
	return fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(name, ".pb.go") {
			err = os.Remove(filepath.Join(dir, filepath.FromSlash(name)))
		}
		return err
	})
}

// sources lists the .proto files below dir by the names under which they import each other, sorted.
func sources(dir, prefix string) ([]string, error) {
	var names []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && path.Ext(name) == ".proto" {
			names = append(names, path.Join(prefix, name))
		}
		return err
	})
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("no .proto file below %s; give the folder with -dir", dir)
	}
	return names, err
}

// compile parses and links the named files, with their comments; Google's own imports come from the compiler itself.
func compile(ctx context.Context, dir, prefix string, names []string) ([]protoreflect.FileDescriptor, error) {
	compiler := protocompile.Compiler{
		SourceInfoMode: protocompile.SourceInfoStandard,
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
			Accessor: func(name string) (io.ReadCloser, error) {
				below, ok := strings.CutPrefix(name, prefix+"/")
				if !ok {
					return nil, fs.ErrNotExist
				}
				return os.Open(filepath.Join(dir, filepath.FromSlash(below)))
			},
		}),
	}
	linked, err := compiler.Compile(ctx, names...)
	if err != nil {
		return nil, err
	}
	files := make([]protoreflect.FileDescriptor, len(linked))
	for i, f := range linked {
		files[i] = f
	}
	return files, nil
}

// documented refuses a message, field, enum, value, service or method without a comment: these files are the reference that a partner's
// developer reads.
func documented(files []protoreflect.FileDescriptor) error {
	var errs []error
	for _, f := range files {
		check := func(d protoreflect.Descriptor) {
			if at := f.SourceLocations().ByDescriptor(d); strings.TrimSpace(at.LeadingComments) == "" {
				errs = append(errs, fmt.Errorf("%s:%d: %s has no comment; say above it what it means on the wire", f.Path(), at.StartLine+1, d.FullName()))
			}
		}
		enums(f.Enums(), check)
		messages(f.Messages(), check)
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			check(s)
			for j := range s.Methods().Len() {
				check(s.Methods().Get(j))
			}
		}
	}
	return errors.Join(errs...)
}

func messages(ms protoreflect.MessageDescriptors, check func(protoreflect.Descriptor)) {
	for i := range ms.Len() {
		m := ms.Get(i)
		if m.IsMapEntry() {
			continue // made by the compiler for a map field, which carries the comment
		}
		check(m)
		for j := range m.Fields().Len() {
			check(m.Fields().Get(j))
		}
		enums(m.Enums(), check)
		messages(m.Messages(), check)
	}
}

func enums(es protoreflect.EnumDescriptors, check func(protoreflect.Descriptor)) {
	for i := range es.Len() {
		check(es.Get(i))
		for j := range es.Get(i).Values().Len() {
			check(es.Get(i).Values().Get(j))
		}
	}
}

// request asks for the Go code of the named files; every import comes before the file that needs it, as the plugin protocol demands.
func request(files []protoreflect.FileDescriptor, names []string, module string) *pluginpb.CodeGeneratorRequest {
	var ordered []*descriptorpb.FileDescriptorProto
	seen := map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		ordered = append(ordered, protodesc.ToFileDescriptorProto(f))
	}
	for _, f := range files {
		add(f)
	}
	return &pluginpb.CodeGeneratorRequest{FileToGenerate: names, Parameter: proto.String("module=" + module), ProtoFile: ordered}
}

// plugin runs this module's protoc-gen-go once.
func plugin(ctx context.Context, req *pluginpb.CodeGeneratorRequest) (*pluginpb.CodeGeneratorResponse, error) {
	in, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", "tool", "protoc-gen-go")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run go tool protoc-gen-go: %w", err)
	}
	response := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(out, response); err != nil {
		return nil, fmt.Errorf("read the answer of protoc-gen-go: %w", err)
	}
	if response.Error != nil {
		return nil, fmt.Errorf("protoc-gen-go: %s", response.GetError())
	}
	return response, nil
}
