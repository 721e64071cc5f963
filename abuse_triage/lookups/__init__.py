"""Edge: what DNS says about the sender of a message, asked of the operator's own resolvers only."""
