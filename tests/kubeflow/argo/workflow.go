package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	wf "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// What the shape of the workflow depends on in the intermediate representation of a pipeline.
type pipeline struct {
	PipelineInfo   struct{ Name string }      `json:"pipelineInfo"`
	Components     map[string]json.RawMessage `json:"components"`
	DeploymentSpec struct {
		Executors map[string]struct {
			Container json.RawMessage `json:"container"`
		} `json:"executors"`
	} `json:"deploymentSpec"`
	Root struct {
		Dag struct {
			Tasks map[string]task `json:"tasks"`
		} `json:"dag"`
	} `json:"root"`
}

type task struct {
	DependentTasks []string               `json:"dependentTasks"`
	ComponentRef   struct{ Name string }  `json:"componentRef"`
	RetryPolicy    map[string]interface{} `json:"retryPolicy"`
}

const (
	driver = "-driver" // KFP's own task before each task
	image  = "kfp"     // whose, is all the same to the validation
)

var retryParameters = []string{"retry-max-count", "retry-backoff-duration", "retry-backoff-factor", "retry-backoff-max-duration"}

func firstDocument(text []byte) []byte {
	return bytes.SplitN(text, []byte("\n---\n"), 2)[0]
}

// workflow gives the pipeline the shape in which KFP 2.15 hands it to Argo: of each task X the two tasks X-driver, which
// waits for those before it, and X, which runs what its driver says; all of them in a template of their own, root, below
// one in which root-driver stands before it. Definitions travel as parameters of the workflow.
func (p pipeline) workflow() (*wf.Workflow, error) {
	arguments := wf.Arguments{}
	for _, name := range sorted(p.Components) {
		arguments.Parameters = append(arguments.Parameters, parameter("components-"+name, string(p.Components[name])))
	}
	for _, name := range sorted(p.DeploymentSpec.Executors) {
		arguments.Parameters = append(arguments.Parameters,
			parameter("implementations-"+name, string(p.DeploymentSpec.Executors[name].Container)))
	}
	root := wf.Template{Name: "root", Inputs: inputs("parent-dag-id"), DAG: &wf.DAGTemplate{}}
	for _, name := range sorted(p.Root.Dag.Tasks) {
		task := p.Root.Dag.Tasks[name]
		definition, err := json.Marshal(task)
		if err != nil {
			return nil, err
		}
		root.DAG.Tasks = append(root.DAG.Tasks, driverTask(name, task, string(definition)), executorTask(name, task))
	}
	rootDriver := wf.DAGTask{Name: "root" + driver, Template: "system-dag-driver"}
	below := wf.DAGTask{Name: "root", Template: "root", Depends: "root" + driver + ".Succeeded",
		Arguments: wf.Arguments{Parameters: []wf.Parameter{parameter("parent-dag-id", outputOf("root", "execution-id"))}}}
	templates := append(containerTemplates(), root,
		wf.Template{Name: "system-dag-driver", Outputs: outputs("execution-id", "condition"), Container: container()},
		wf.Template{Name: "entrypoint", DAG: &wf.DAGTemplate{Tasks: []wf.DAGTask{rootDriver, below}}})
	return &wf.Workflow{
		ObjectMeta: meta.ObjectMeta{GenerateName: p.PipelineInfo.Name + "-", Name: p.PipelineInfo.Name + "-x7k2p"},
		Spec:       wf.WorkflowSpec{Entrypoint: "entrypoint", Arguments: arguments, Templates: templates},
	}, nil
}

func driverTask(name string, task task, definition string) wf.DAGTask {
	var before []string
	for _, other := range task.DependentTasks {
		before = append(before, other+".Succeeded")
	}
	component := task.ComponentRef.Name
	return wf.DAGTask{
		Name: name + driver, Template: "system-container-driver", Depends: strings.Join(before, " && "),
		Arguments: wf.Arguments{Parameters: []wf.Parameter{
			parameter("component", fmt.Sprintf("{{workflow.parameters.components-%s}}", component)),
			parameter("container", fmt.Sprintf("{{workflow.parameters.implementations-%s_executor}}", component)),
			parameter("task", definition), parameter("task-name", name),
			parameter("parent-dag-id", "{{inputs.parameters.parent-dag-id}}"),
		}},
	}
}

func executorTask(name string, task task) wf.DAGTask {
	parameters := []wf.Parameter{
		parameter("pod-spec-patch", outputOf(name, "pod-spec-patch")),
		parameter("cached-decision", outputOf(name, "cached-decision")),
	}
	template := "system-container-executor"
	if task.RetryPolicy != nil {
		template = "retry-" + template
		for _, retry := range retryParameters {
			parameters = append(parameters, parameter(retry, "1"))
		}
	}
	return wf.DAGTask{
		Name: name, Template: template, Depends: name + driver + ".Succeeded",
		When: outputOf(name, "condition") + " != false", Arguments: wf.Arguments{Parameters: parameters},
	}
}

// containerTemplates are those that all tasks share: the driver, and the executor with and without retries, each of
// which runs nothing where the driver found the task in the cache.
func containerTemplates() []wf.Template {
	templates := []wf.Template{{
		Name:    "system-container-driver",
		Inputs:  inputs("component", "container", "task", "task-name", "parent-dag-id"),
		Outputs: outputs("pod-spec-patch", "cached-decision", "condition"), Container: container(),
	}}
	for _, prefix := range []string{"", "retry-"} {
		names := []string{"pod-spec-patch"}
		if prefix != "" {
			names = append(names, retryParameters...)
		}
		var passed []wf.Parameter
		for _, name := range names {
			passed = append(passed, parameter(name, "{{inputs.parameters."+name+"}}"))
		}
		implementation := wf.Template{
			Name: prefix + "system-container-impl", Inputs: inputs(names...), Container: container(),
			PodSpecPatch: "{{inputs.parameters.pod-spec-patch}}",
		}
		if prefix != "" {
			limit, factor := intstr.FromString("{{inputs.parameters.retry-max-count}}"), intstr.FromString("{{inputs.parameters.retry-backoff-factor}}")
			implementation.RetryStrategy = &wf.RetryStrategy{Limit: &limit, Backoff: &wf.Backoff{
				Factor: &factor, Duration: "{{inputs.parameters.retry-backoff-duration}}",
				MaxDuration: "{{inputs.parameters.retry-backoff-max-duration}}"}}
		}
		templates = append(templates, implementation, wf.Template{
			Name: prefix + "system-container-executor", Inputs: inputs(append(names, "cached-decision")...),
			DAG: &wf.DAGTemplate{Tasks: []wf.DAGTask{{
				Name: "executor", Template: implementation.Name, Arguments: wf.Arguments{Parameters: passed},
				When: "{{inputs.parameters.cached-decision}} != true",
			}}},
		})
	}
	return templates
}

func container() *core.Container {
	return &core.Container{Image: image, Command: []string{image}}
}

func outputOf(name, output string) string {
	return fmt.Sprintf("{{tasks.%s.outputs.parameters.%s}}", name+driver, output)
}

func parameter(name, value string) wf.Parameter {
	return wf.Parameter{Name: name, Value: wf.AnyStringPtr(value)}
}

func inputs(names ...string) wf.Inputs {
	var found wf.Inputs
	for _, name := range names {
		found.Parameters = append(found.Parameters, wf.Parameter{Name: name})
	}
	return found
}

func outputs(names ...string) wf.Outputs {
	var found wf.Outputs
	for _, name := range names {
		found.Parameters = append(found.Parameters,
			wf.Parameter{Name: name, ValueFrom: &wf.ValueFrom{Path: "/tmp/outputs/" + name, Default: wf.AnyStringPtr("")}})
	}
	return found
}

func sorted[V any](values map[string]V) []string {
	var names []string
	for name := range values {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
