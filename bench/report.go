package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// report is the table in the making.
type report struct {
	begun time.Time
	rows  [][4]string
}

func newReport() *report { return &report{begun: time.Now()} }

// row adds what was measured, the figure, the bar it should reach ("" for none), and how it was measured.
func (r *report) row(what, figure, bar, how string) {
	r.rows = append(r.rows, [4]string{what, figure, bar, how})
	progress("%s: %s (bar %s) %s", what, figure, bar, how)
}

// write prints the table and keeps it under the day's date.
func (r *report) write(out io.Writer, dir string) error {
	var b strings.Builder
	kernel, _ := exec.Command("uname", "-r").Output()
	commit, _ := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	fmt.Fprintf(&b, "# Measured %s\n\n%d processors, kernel %s, %s, commit %s. One machine for all: the load generators share its processors\nwith what is measured, so read rates with care and CPU figures and ratios as they stand.\n\n",
		r.begun.Format("2006-01-02 15:04"), runtime.NumCPU(), strings.TrimSpace(string(kernel)), runtime.Version(), strings.TrimSpace(string(commit)))
	b.WriteString("| what | figure | bar | how |\n|---|---|---|---|\n")
	for _, row := range r.rows {
		for i := range row {
			row[i] = strings.ReplaceAll(strings.ReplaceAll(row[i], "|", "/"), "\n", " ")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row[0], row[1], row[2], row[3])
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, r.begun.Format("2006-01-02-1504")+".md"), []byte(b.String()), 0o644)
}
