-- Servers tell each other of queued work after its commit: a transaction that notifies is committed alone, one after another.
drop trigger execution_queue_told on execution_queue;
drop function execution_queue_told();
