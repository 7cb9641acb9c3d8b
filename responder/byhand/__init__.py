"""An investigation that somebody asks for by hand, shown as it goes; nobody is paged by it."""
