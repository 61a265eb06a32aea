"""Pictures opened safely, cropped and resized."""
