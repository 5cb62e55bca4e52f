# What an execution may ask for.
package plane.authz

default timeout_ms_max := 900000

# The operator's data may lower or raise the longest run: {"limits": {"timeout_ms": 60000}}.
timeout_ms_max := data.limits.timeout_ms

invoking_now if input.action == "execution.invoke"

denials contains "an execution needs a project" if {
	invoking_now
	not has_project
}

has_project if input.resource.project != null

denials contains "an execution needs a snapshot" if {
	invoking_now
	not has_snapshot
}

has_snapshot if input.resource.snapshot.digest != null

denials contains "what the execution asks for is not known" if {
	invoking_now
	not requested_known
}

requested_known if {
	is_boolean(input.context.requested.network)
	is_boolean(input.context.requested.subprocess)
	is_number(input.context.requested.timeout_ms)
}

denials contains "network is not granted to this project" if {
	invoking_now
	input.context.requested.network
	not network_granted_to_project
}

denials contains "subprocess is not granted to this project" if {
	invoking_now
	input.context.requested.subprocess
	not subprocess_granted_to_project
}

# Grants are data, by project id:
# {"grants": {"network": {"proj_…": ["api.example.com:443"]}, "subprocess": {"proj_…": true}}}.
network_granted_to_project if {
	is_array(network_hosts_of_project)
	count(network_hosts_of_project) > 0
}

network_hosts_of_project := data.grants.network[input.resource.project]

subprocess_granted_to_project if data.grants.subprocess[input.resource.project] == true

# The hosts that were granted, to whom asked for a network; the engine reads them strictly.
default network_obligation := false

network_obligation := {"hosts": network_hosts_of_project} if {
	input.context.requested.network == true
	network_granted_to_project
}

default subprocess_granted := false

subprocess_granted if {
	input.context.requested.subprocess == true
	subprocess_granted_to_project
}
