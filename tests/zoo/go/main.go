// net/http: a goroutine for each connection, the default transport.
//
// Usage: server PORT [workers]. With `workers`, calls are made by eight
// goroutines behind a channel.
package main

import (
	"io"
	"log"
	"math/rand"
	"net/http"
	"os"
	"sync"
	"time"
)

type job struct {
	request *request
	step    step
}

type call struct {
	url  string
	done chan<- struct{}
}

var (
	jobs  = make(chan job, 10000)
	calls = make(chan call)
	get   = fetch
)

func main() {
	readPlans()
	if len(os.Args) > 2 {
		get = throughWorkers
		for range [8]struct{}{} {
			go makeCalls()
		}
	}
	go doJobs()
	go tick()
	http.HandleFunc("/", handle)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}

func handle(w http.ResponseWriter, r *http.Request) {
	request := newRequest(r.URL)
	var after []step
	for _, step := range request.steps {
		switch step.when {
		case "job":
			jobs <- job{request, step}
		case "after":
			after = append(after, step)
		default:
			run(request, step, "now")
		}
	}
	if len(after) > 0 {
		go func() {
			for _, step := range after {
				run(request, step, "after")
			}
		}()
	}
	_, _ = io.WriteString(w, "done\n")
}

// run does a step; several branches each get a goroutine.
func run(request *request, step step, when string) {
	if len(step.branches) == 1 {
		runBranch(request, step.branches[0], when)
		return
	}
	var group sync.WaitGroup
	for _, branch := range step.branches {
		group.Add(1)
		go func(branch []string) {
			defer group.Done()
			runBranch(request, branch, when)
		}(branch)
	}
	group.Wait()
}

func runBranch(request *request, branch []string, when string) {
	for _, act := range branch {
		if wait, found := amount(act, 't'); found {
			time.Sleep(time.Duration(float64(wait) * (0.5 + rand.Float64())))
		} else if work, found := amount(act, 'c'); found {
			for end := time.Now().Add(work); time.Now().Before(end); {
			}
		} else {
			get(request.url(act, when))
		}
	}
}

func fetch(url string) {
	response, err := http.Get(url)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
}

func throughWorkers(url string) {
	done := make(chan struct{})
	calls <- call{url, done}
	<-done
}

func makeCalls() {
	for call := range calls {
		fetch(call.url)
		close(call.done)
	}
}

func doJobs() {
	for job := range jobs {
		run(job.request, job.step, "job")
	}
}

func tick() {
	for len(timer) > 0 {
		time.Sleep(50*time.Millisecond + time.Duration(rand.Int63n(int64(100*time.Millisecond))))
		request := &request{}
		for _, step := range chosen(timer) {
			run(request, step, "timer")
		}
	}
}
