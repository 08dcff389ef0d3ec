"""What a user is given: containers, documentation, an installation by the README."""
