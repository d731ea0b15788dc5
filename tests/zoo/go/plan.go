package main

// What a server of the zoo is told to do: see ../README.md.

import (
	"fmt"
	"math/rand"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

type step struct {
	chance   int
	when     string
	branches [][]string
}

// request is an incoming one, or with id 0 a tick of the timer.
type request struct {
	id    uint32
	order string
	steps []step
}

var (
	form     = regexp.MustCompile(`^(?:(\d+)\?)?(?:(\w+):)?(.+)$`)
	kinds    = map[string]uint32{"now": 0, "job": 1, "after": 2, "timer": 3}
	backends = map[string]string{}
	routes   = map[string][]step{}
	names    []string
	timer    []step
	counter  uint32
)

func readPlans() {
	for _, pair := range pairs("BACKENDS") {
		backends[pair[0]] = pair[1]
	}
	for _, pair := range pairs("ROUTES") {
		routes[pair[0]] = parse(pair[1])
		names = append(names, pair[0])
	}
	if plan := os.Getenv("TIMER"); plan != "" {
		timer = parse(plan)
	}
}

func pairs(variable string) (pairs [][]string) {
	for _, pair := range strings.Split(os.Getenv(variable), ";") {
		if strings.Contains(pair, "=") {
			pairs = append(pairs, strings.SplitN(pair, "=", 2))
		}
	}
	return pairs
}

func parse(plan string) (steps []step) {
	for _, text := range strings.Split(plan, ",") {
		parts := form.FindStringSubmatch(text)
		step := step{chance: 100, when: "now"}
		if parts[1] != "" {
			step.chance, _ = strconv.Atoi(parts[1])
		}
		if parts[2] != "" {
			step.when = parts[2]
		}
		for _, branch := range strings.Split(parts[3], "|") {
			step.branches = append(step.branches, strings.Split(branch, "+"))
		}
		steps = append(steps, step)
	}
	return steps
}

func newRequest(url *url.URL) *request {
	query := url.Query()
	id, _ := strconv.ParseUint(query.Get("id"), 10, 32)
	plan, found := routes[strings.Trim(url.Path, "/")]
	if !found {
		plan = routes[names[rand.Intn(len(names))]]
	}
	return &request{uint32(id), query.Get("order"), chosen(plan)}
}

func chosen(plan []step) (steps []step) {
	for _, step := range plan {
		if rand.Intn(100) < step.chance {
			steps = append(steps, step)
		}
	}
	return steps
}

// url is that of one call that this request causes.
func (r *request) url(backend, when string) string {
	id := uint32(os.Getpid()%4096)<<20 | atomic.AddUint32(&counter, 1)<<2 | kinds[when]
	target := fmt.Sprintf("http://%s?id=%d&parent=%d", backends[backend], id, r.id*2654435761)
	if r.order != "" {
		target += "&order=" + r.order
	}
	return target
}

// amount is the time in `t2` or `c0.5`; not found in other acts.
func amount(act string, letter byte) (time.Duration, bool) {
	if act[0] != letter {
		return 0, false
	}
	ms, err := strconv.ParseFloat(act[1:], 64)
	return time.Duration(ms * float64(time.Millisecond)), err == nil
}
