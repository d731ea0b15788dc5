// Go's net/http, as a server that answers as the request's X-Plan header tells,
// and as a client that goes by a plan.
//
// Usage: peer server PORT RECORD
//
//	peer client PORT RECORD PLAN
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

type body struct {
	Framing  string
	Pieces   []int
	Trailers bool
	Header   int
}

type answer struct {
	body
	Status  int
	Interim []int
	Dribble int
}

type exchange struct {
	body
	Method string
	Target string
	Expect bool
	Answer json.RawMessage
}

type connection struct {
	Exchanges []exchange
	Dribble   int
}

type record struct {
	Side         string `json:"side"`
	Connection   int    `json:"connection"`
	Method       string `json:"method"`
	Target       string `json:"target"`
	Version      string `json:"version"`
	Status       int    `json:"status"`
	RequestBody  int64  `json:"request_body"`
	ResponseBody int64  `json:"response_body"`
}

var (
	lock sync.Mutex
	file *os.File
)

func write(r record) {
	line, err := json.Marshal(r)
	check(err)
	lock.Lock()
	defer lock.Unlock()
	_, err = file.Write(append(line, '\n'))
	check(err)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	var err error
	file, err = os.OpenFile(os.Args[3], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	check(err)
	address := "127.0.0.1:" + os.Args[2]
	if os.Args[1] == "server" {
		check(http.ListenAndServe(address, http.HandlerFunc(serve)))
	}
	plan, err := os.ReadFile(os.Args[4])
	check(err)
	var connections []connection
	check(json.Unmarshal(plan, &connections))
	for number, connection := range connections {
		transport := &http.Transport{MaxConnsPerHost: 1, ExpectContinueTimeout: time.Minute}
		for _, exchange := range connection.Exchanges {
			call(number, exchange, connection.Dribble, address, transport)
		}
		transport.CloseIdleConnections()
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	received, err := io.Copy(io.Discard, r.Body)
	check(err)
	var plan answer
	check(json.Unmarshal([]byte(r.Header.Get("X-Plan")), &plan))
	if r.ProtoAtLeast(1, 1) {
		for _, status := range plan.Interim {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(status)
		}
	}
	if plan.Framing == "length" {
		w.Header().Set("Content-Length", fmt.Sprint(sum(plan.Pieces)))
	}
	if plan.Header > 0 {
		w.Header().Set("X-Fill", strings.Repeat("f", plan.Header))
	}
	trailers := plan.Trailers && plan.Framing == "chunked"
	if trailers {
		w.Header().Set("Trailer", "X-Trailer")
	}
	w.WriteHeader(plan.Status)
	var sent int64
	if r.Method != "HEAD" && plan.Status != 204 && plan.Status != 304 {
		for _, size := range plan.Pieces {
			n, err := w.Write(bytes.Repeat([]byte("g"), size))
			check(err)
			sent += int64(n)
			if plan.Dribble > 0 {
				w.(http.Flusher).Flush()
				time.Sleep(time.Millisecond)
			}
		}
	}
	if trailers {
		w.Header().Set("X-Trailer", "at last")
	}
	write(record{"server", 0, r.Method, r.URL.RequestURI(), strings.TrimPrefix(r.Proto, "HTTP/"),
		plan.Status, received, sent})
}

func call(number int, plan exchange, dribble int, address string, transport *http.Transport) {
	var content io.Reader
	if len(plan.Pieces) > 0 {
		reader, writer := io.Pipe()
		content = reader
		go func() {
			for _, size := range plan.Pieces {
				if _, err := writer.Write(bytes.Repeat([]byte("g"), size)); err != nil {
					return
				}
				if dribble > 0 {
					time.Sleep(time.Millisecond)
				}
			}
			check(writer.Close())
		}()
	}
	request, err := http.NewRequest(plan.Method, "http://"+address+plan.Target, content)
	check(err)
	if content != nil {
		request.ContentLength = -1
	}
	if plan.Framing == "length" {
		request.ContentLength = sum(plan.Pieces)
	}
	if plan.Framing == "chunked" && plan.Trailers {
		request.Trailer = http.Header{"X-Trailer": {"at last"}}
	}
	request.Header.Set("X-Plan", string(plan.Answer))
	if plan.Expect {
		request.Header.Set("Expect", "100-continue")
	}
	if plan.Header > 0 {
		request.Header.Set("X-Fill", strings.Repeat("f", plan.Header))
	}
	response, err := transport.RoundTrip(request)
	check(err)
	received, err := io.Copy(io.Discard, response.Body)
	check(err)
	check(response.Body.Close())
	write(record{"client", number, plan.Method, plan.Target, "1.1", response.StatusCode,
		sum(plan.Pieces), received})
}

func sum(pieces []int) (total int64) {
	for _, size := range pieces {
		total += int64(size)
	}
	return total
}
