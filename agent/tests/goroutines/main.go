// Two servers: the front asks the back, over a new connection each time, for
// whatever it is asked for itself. The first line of output has their ports.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
)

func main() {
	back := listen()
	go http.Serve(back, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "from the back")
	}))
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	front := listen()
	fmt.Println(port(front), port(back))
	http.Serve(front, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, err := client.Get("http://" + back.Addr().String() + r.URL.Path)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		io.Copy(w, answer.Body)
	}))
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return listener
}

func port(listener net.Listener) int {
	return listener.Addr().(*net.TCPAddr).Port
}
