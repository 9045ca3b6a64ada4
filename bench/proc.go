package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks is the kernel's USER_HZ, which is 100 on every Linux that Go runs on.
const ticks = 100

// tree is a process and all its descendants.
func tree(root int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
		if f := statFields(pid); len(f) > 1 {
			parent, _ := strconv.Atoi(f[1])
			children[parent] = append(children[parent], pid)
		}
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// statFields is /proc/PID/stat from the state on: [0] is the state, [1] the parent, [11] and [12] the ticks.
func statFields(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, rest, ok := strings.Cut(string(b[strings.LastIndexByte(string(b), ')')+0:]), ") ")
	if !ok {
		return nil
	}
	return strings.Fields(rest)
}

// cpuSeconds is the user and system time that a process tree has used so far.
func cpuSeconds(root int) float64 {
	sum := 0
	for _, pid := range tree(root) {
		f := statFields(pid)
		if len(f) < 13 {
			continue
		}
		user, _ := strconv.Atoi(f[11])
		system, _ := strconv.Atoi(f[12])
		sum += user + system
	}
	return float64(sum) / ticks
}

// machine is processor time by who used it: all processes of the machine, and this one with all that it has started.
type machine struct {
	all, own float64 // seconds
	at       time.Time
}

func measureMachine() (m machine) {
	m.at = time.Now()
	b, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(line) { // cpu user nice system idle iowait irq softirq steal guest guest_nice, where guest is in user
		if n, err := strconv.ParseFloat(f, 64); err == nil && i != 4 && i != 5 && i < 9 {
			m.all += n / ticks
		}
	}
	m.own = cpuSeconds(os.Getpid())
	if f := statFields(os.Getpid()); len(f) > 14 { // and of children that have ended
		for _, text := range f[13:15] {
			n, _ := strconv.ParseFloat(text, 64)
			m.own += n / ticks
		}
	}
	return m
}

// others is how many processors other programs have kept busy since m.
func (m machine) others() float64 {
	now := measureMachine()
	return max((now.all-m.all)-(now.own-m.own), 0) / now.at.Sub(m.at).Seconds()
}

// resident is the memory of a process in bytes (VmRSS).
func resident(pid int) int64 {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}

// proportional is the memory of a process tree in bytes, what processes share counted once (Pss).
func proportional(root int) (sum int64) {
	for _, pid := range tree(root) {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		for line := range strings.Lines(string(b)) {
			if v, ok := strings.CutPrefix(line, "Pss:"); ok {
				kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
				sum += kib << 10
			}
		}
	}
	return sum
}

// dropped is how many datagrams the kernel has thrown away because the sockets of a port were full.
func dropped(port uint16) (sum int64) {
	b, _ := os.ReadFile("/proc/net/udp")
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 13 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			n, _ := strconv.ParseInt(f[12], 10, 64)
			sum += n
		}
	}
	return sum
}

func mib(bytes int64) string { return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20)) }
