//go:build e2e

package soak

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// clock is the wall clock of one node: the machine's, and so many seconds. The node reads them from a file that both map,
// so that a step is seen at once by a process that runs. Its monotonic clock is the machine's, as after a step by hand.
type clock struct {
	path    string
	seconds *int64
}

// clockFile is the environment variable that names a node's file.
const clockFile = "RINGFENCE_SOAK_CLOCK"

func newClock(path string) (*clock, error) {
	if err := os.WriteFile(path, make([]byte, 8), 0o600); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := syscall.Mmap(int(f.Fd()), 0, 8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return &clock{path: path, seconds: (*int64)(unsafe.Pointer(&b[0]))}, nil
}

func (c *clock) step(by time.Duration) { atomic.AddInt64(c.seconds, int64(by/time.Second)) }

// steppedClock is added to the package time of the binary under test.
const steppedClock = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var soakStep = mapSoakStep()

func mapSoakStep() *int64 {
	name, ok := syscall.Getenv("` + clockFile + `")
	if !ok {
		panic("this binary is for the soak test: ` + clockFile + ` must name the file of its clock")
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic(name + ": " + err.Error())
	}
	b, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(name + ": " + err.Error())
	}
	_ = syscall.Close(fd)
	return (*int64)(unsafe.Pointer(&b[0]))
}

func soakNow() (sec int64, nsec int32, mono int64) {
	sec, nsec, mono = runtimeNow()
	return sec + atomic.LoadInt64(soakStep), nsec, mono
}
`

// build makes the binary under test: the product's source with a clock that can be stepped. A static Go program cannot be
// told another time from outside, so the one call in package time that reads the clock is replaced (go build -overlay).
func build(dir string) (binary string, err error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	in := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	source, err := os.ReadFile(filepath.Join(in, "time.go"))
	if err != nil {
		return "", err
	}
	if source, err = stepped(source); err != nil {
		return "", err
	}
	replace := map[string]string{
		filepath.Join(in, "time.go"):      filepath.Join(dir, "time.go"),
		filepath.Join(in, "soak_step.go"): filepath.Join(dir, "soak_step.go"),
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	binary = filepath.Join(dir, "ringfence")
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "time.go"), source, 0o600),
		os.WriteFile(filepath.Join(dir, "soak_step.go"), []byte(steppedClock), 0o600),
		os.WriteFile(overlay, list, 0o600),
	)
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-overlay", overlay, "-o", binary, "ringfence/cmd/ringfence")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the binary with a clock that can be stepped (package time is Go's own, with one call replaced): %w\n%s", err, out)
	}
	return binary, nil
}

// stepped is time.go with the call in Now that reads the clock replaced by one of soakNow.
func stepped(source []byte) ([]byte, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "time.go", source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var reads []*ast.Ident
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "Now" && f.Recv == nil {
			ast.Inspect(f, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if name, ok := call.Fun.(*ast.Ident); ok && name.Name == "runtimeNow" {
						reads = append(reads, name)
					}
				}
				return true
			})
		}
	}
	if len(reads) != 1 {
		return nil, fmt.Errorf("package time of this Go reads the clock in a way that the soak test does not know: "+
			"time.Now calls runtimeNow %d times, want once; adapt stepped in e2e/soak/clock_test.go", len(reads))
	}
	at := int(reads[0].Pos()) - 1
	var b bytes.Buffer
	b.Write(source[:at])
	b.WriteString("soakNow")
	b.Write(source[at+len("runtimeNow"):])
	return b.Bytes(), nil
}
