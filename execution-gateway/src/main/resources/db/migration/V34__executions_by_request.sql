-- A caller that heard no answer asks whether its request became an execution. Ids that servers gave out are left out: nobody who heard nothing
-- knows one, and each would cost every admission an entry here.
create index executions_by_request on executions (project, request_id) where request_id not like 'req\_%';
