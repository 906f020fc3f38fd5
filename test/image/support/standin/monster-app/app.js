// An app of Monster UI.
