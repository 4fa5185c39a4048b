package localnode_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// programEnv makes the test binary the program that the Pods of the tests run.
const programEnv = "TANGGAP_TEST_PROGRAM"

// runProgram is a small server. It listens on --listen and does what the request's path says:
//
//	/healthz         200, or 500 after /sick
//	/args            its arguments, as JSON
//	/env?name=       an environment variable
//	/file?path=      the content of a file; PUT writes it
//	/get?url=        what an ordinary client gets from the URL, with the status before it
//	/whoami          the user that the API server sees behind the usual client configuration
//	/sick            fails the probes from now on
//	/exit?code=      ends
//	/child           starts a child process that outlives nothing, and returns its process id
func runProgram() {
	flags := flag.NewFlagSet("program", flag.ExitOnError)
	listen := flags.String("listen", "", "address")
	deaf := flags.Bool("deaf", false, "ignore SIGTERM")
	sleeper := flags.Bool("sleep", false, "do nothing")
	write := flags.String("write", "", "write this file and end")
	_ = flags.Parse(os.Args[1:]) // ExitOnError
	if *write != "" {
		exitOn(os.WriteFile(*write, []byte("written"), 0o600))
		os.Exit(0)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM)
	if *deaf {
		signal.Ignore(syscall.SIGTERM)
	}
	if !*sleeper {
		fmt.Println("listening on", *listen)
		go func() { exitOn(http.ListenAndServe(*listen, programHandler())) }()
	}
	<-ended
	fmt.Fprint(os.Stderr, "goodbye")
	os.Exit(0)
}

func programHandler() http.Handler {
	mux := http.NewServeMux()
	var sick atomic.Bool
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("/sick", func(http.ResponseWriter, *http.Request) { sick.Store(true) })
	mux.HandleFunc("/args", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(os.Args[1:]) })
	mux.HandleFunc("/env", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, os.Getenv(r.FormValue("name"))) })
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) { serveFile(w, r) })
	mux.HandleFunc("/get", func(w http.ResponseWriter, r *http.Request) {
		response, err := http.Get(r.FormValue("url"))
		reply(w, err, func() {
			defer func() { _ = response.Body.Close() }()
			fmt.Fprintf(w, "%d ", response.StatusCode)
			_, _ = io.Copy(w, response.Body)
		})
	})
	mux.HandleFunc("/whoami", func(w http.ResponseWriter, r *http.Request) {
		name, err := whoAmI(r.Context())
		reply(w, err, func() { _, _ = io.WriteString(w, name) })
	})
	mux.HandleFunc("/exit", func(_ http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		os.Exit(code)
	})
	mux.HandleFunc("/child", func(w http.ResponseWriter, _ *http.Request) {
		child := exec.Command(os.Args[0], "--sleep", "--deaf")
		err := child.Start()
		reply(w, err, func() { fmt.Fprint(w, child.Process.Pid) })
	})
	return mux
}

func serveFile(w http.ResponseWriter, r *http.Request) {
	path := r.FormValue("path")
	if r.Method == http.MethodPut {
		body, _ := io.ReadAll(r.Body)
		reply(w, os.WriteFile(path, body, 0o600), func() {})
		return
	}
	content, err := os.ReadFile(path)
	reply(w, err, func() { _, _ = w.Write(content) })
}

func whoAmI(ctx context.Context) (string, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return "", err
	}
	config.Timeout = 10 * time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return "", err
	}
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return review.Status.UserInfo.Username, nil
}

func reply(w http.ResponseWriter, err error, success func()) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	success()
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
