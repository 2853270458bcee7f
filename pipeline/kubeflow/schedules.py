"""Kubeflow's recurring runs: made, listed, and ended without ending the runs that they started.

Kubernetes deletes what a deleted schedule owns, its run under way too, of which Kubeflow then says RUNNING for ever.
So a schedule is paused first, and deleted only once its runs have ended.
"""

import kfp_server_api as api

from pipeline.kubeflow.connection import explained
from pipeline.kubeflow.errors import KubeflowError
from pipeline.kubeflow.lists import KubeflowLists, Listed, specification

ENDED = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")
PAUSED = "DISABLED"


class KubeflowSchedules(KubeflowLists):
    """The schedules of one installation; every method raises KubeflowError."""

    def schedule(self, name: str, cron: str) -> api.V2beta1RecurringRun:
        """Runs the newest version again and again: one run at a time, and only the latest of those that were missed.

        Args:
          name: the pipeline's.
          cron: six fields, seconds first; see `schedule.kubeflow_cron`.
        """
        pipeline_id, version = self._newest_version(name)
        taken = f"{name} has a schedule already; `effnet schedule delete --engine kubeflow` ends it"
        # A paused one may be waiting for its run to end.
        if any(schedule.status != PAUSED for schedule in self.schedules(name)):
            raise KubeflowError(taken)
        body = api.V2beta1RecurringRun(
            display_name=name,
            experiment_id=self._experiment(name),
            mode=api.RecurringRunMode.ENABLE,
            trigger=api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=cron)),
            max_concurrency=1,
            no_catchup=True,
            runtime_config=api.V2beta1RuntimeConfig(
                pipeline_root=specification(version).get("defaultPipelineRoot"), parameters={}
            ),
            service_account=self._account,
        )
        return self._create_schedule(body, pipeline_id, taken)

    def _create_schedule(
        self, body: api.V2beta1RecurringRun, pipeline_id: str, clash: str = ""
    ) -> api.V2beta1RecurringRun:
        # Without a version it follows the newest one; kfp.Client.create_recurring_run asks for a version.
        body.pipeline_version_reference = api.V2beta1PipelineVersionReference(pipeline_id=pipeline_id)
        with explained(self._url, clash=clash):
            return self._client._recurring_run_api.recurring_run_service_create_recurring_run(body)

    def schedules(self, name: str) -> list[Listed]:
        """The schedules of a pipeline, whatever version they run."""
        pipeline_id = self.pipeline_id(name)
        every = self._in_experiment(name, self._client.list_recurring_runs, "recurring_runs")
        # One that was made from a file, and not from an uploaded version, refers to none.
        references = [(one, one.pipeline_version_reference) for one in every]
        return [one for one, reference in references if reference and reference.pipeline_id == pipeline_id]

    def end_schedules(self, name: str) -> tuple[int, dict[str, list[str]]]:
        """Pauses the schedules of a pipeline, and deletes those of which no run is under way.

        Returns:
          How many were deleted, and for each other one, by its id, the runs under way.
        """
        return self._end(name, self.schedules(name))

    def _end(self, name: str, schedules: list[Listed]) -> tuple[int, dict[str, list[str]]]:
        for schedule in schedules:
            if schedule.status != PAUSED:
                with explained(self._url):
                    self._client.disable_recurring_run(schedule.recurring_run_id)
        # Looked at only now, when none can start another.
        under_way = self._under_way(name) if schedules else {}
        deleted = 0
        for schedule in schedules:
            if schedule.recurring_run_id not in under_way:
                with explained(self._url):
                    self._client.delete_recurring_run(schedule.recurring_run_id)
                deleted += 1
        ids = [schedule.recurring_run_id for schedule in schedules]
        return deleted, {one: runs for one, runs in under_way.items() if one in ids}

    def _under_way(self, name: str) -> dict[str, list[str]]:
        """The runs of schedules that have not ended: schedule -> runs."""
        found: dict[str, list[str]] = {}
        for run in self.runs(name):
            if run.recurring_run_id and run.state not in ENDED:
                found.setdefault(run.recurring_run_id, []).append(run.run_id)
        return found

    def _unpin_schedules(self, name: str, pipeline_id: str) -> None:
        """Lets the schedules that earlier releases tied to a version follow the newest one."""
        schedules = self.schedules(name)
        pinned = [one for one in schedules if one.pipeline_version_reference.pipeline_version_id]
        kept = ("display_name", "description", "experiment_id", "trigger", "runtime_config", "service_account")
        for one in pinned if len(pinned) == len(schedules) else []:  # else those left only wait for their runs to end
            body = api.V2beta1RecurringRun(
                **{field: getattr(one, field) for field in (*kept, "max_concurrency", "no_catchup")},
                mode=api.RecurringRunMode.DISABLE if one.status == PAUSED else api.RecurringRunMode.ENABLE,
            )
            self._create_schedule(body, pipeline_id)
        self._end(name, pinned)
