-- A caller that heard no answer asks whether its request became an execution.
create index executions_by_request on executions (project, request_id);
