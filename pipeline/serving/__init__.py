"""What is done with pushed models: answers, versions, rollback, a server."""
