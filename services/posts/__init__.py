"""Posts: one to ten photos with a caption, strongly consistent for their author."""
