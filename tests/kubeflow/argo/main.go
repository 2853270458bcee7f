// Lets Argo's own validation and KFP's own cron library judge what this project compiles.
//
//	argo workflows FILE...   each a compiled pipeline; prints one line of JSON a file: {"file": ..., "refused": "" or why}
//	argo cron                reads lines of JSON {"cron": ..., "zone": ..., "from": RFC 3339, "count": 3} and answers each
//	                         with {"refused": ..., "next": [RFC 3339, ...]}
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/argoproj/argo-workflows/v3/workflow/validate"
	"github.com/robfig/cron"
	"sigs.k8s.io/yaml"
)

type verdict struct {
	File    string `json:"file"`
	Refused string `json:"refused"`
}

type question struct {
	Cron  string    `json:"cron"`
	Zone  string    `json:"zone"`
	From  time.Time `json:"from"`
	Count int       `json:"count"`
}

type answer struct {
	Refused string      `json:"refused"`
	Next    []time.Time `json:"next"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
}

func run(arguments []string, in io.Reader, out io.Writer) error {
	if len(arguments) == 0 {
		return fmt.Errorf("got no command, expected workflows or cron")
	}
	switch arguments[0] {
	case "workflows":
		return judgeWorkflows(arguments[1:], json.NewEncoder(out))
	case "cron":
		return judgeCron(in, json.NewEncoder(out))
	}
	return fmt.Errorf("got %s, expected workflows or cron", arguments[0])
}

func judgeWorkflows(files []string, out *json.Encoder) error {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var pipeline pipeline
		// Of the two documents the first is the pipeline.
		if err := yaml.Unmarshal(firstDocument(text), &pipeline); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if len(pipeline.Root.Dag.Tasks) == 0 {
			return fmt.Errorf("%s: no tasks below root.dag.tasks", file)
		}
		workflow, err := pipeline.workflow()
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		said := verdict{File: file}
		if err := validate.ValidateWorkflow(nil, nil, workflow, nil, validate.ValidateOpts{}); err != nil {
			said.Refused = err.Error()
		}
		if err := out.Encode(said); err != nil {
			return err
		}
	}
	return nil
}

func judgeCron(in io.Reader, out *json.Encoder) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		zone, err := time.LoadLocation(asked.Zone)
		if err != nil {
			return err
		}
		said := answer{Next: []time.Time{}}
		if schedule, err := cron.Parse(asked.Cron); err != nil {
			said.Refused = err.Error()
		} else {
			for moment := asked.From.In(zone); len(said.Next) < asked.Count; {
				if moment = schedule.Next(moment); moment.IsZero() {
					break // it never comes
				}
				said.Next = append(said.Next, moment.UTC())
			}
		}
		if err := out.Encode(said); err != nil {
			return err
		}
	}
	return lines.Err()
}
