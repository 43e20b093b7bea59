"""From what people have to feature arrays: everything is fitted on the train rows, and new rows go the same way."""
