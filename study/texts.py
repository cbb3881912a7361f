"""What the tab "Rate" says to a rater, in one place, so that a study can be translated."""

SCALE_MAX = 10
QUESTION = "How good is the colorization?"
SCALE_LOW = "0 = very bad"
SCALE_HIGH = "10 = like a photograph in true colours"

CONSENT_TITLE = "Rate the colours"
CONSENT = """
You will see {pairs} pairs of pictures of fruit, one pair at a time: a grayscale picture, and the
same picture in colour. For each pair you say how good the colours are, from 0 to 10. It takes
about three minutes.

**What is stored:** your ratings, the order of the pictures, and when you began, saw each pair and
answered it. No name, no address, nothing that identifies you. A random number kept in this browser
lets you continue where you were if you close the page.

Taking part is voluntary. You may stop at any time by closing the page; the ratings that you gave
until then stay stored.
"""
CONSENT_BOX = "I have read this and want to take part."
CONSENT_MISSING = "Please tick the box first: without your consent nothing is stored."
START = "Start"

INSTRUCTIONS = """
Judge the colours only, not the sharpness or the choice of picture. Go by your first impression.
"""
KEYS = "Keys: digits choose a rating (1 and then 0 for 10), the arrow keys move it, Enter goes on."
PROGRESS = "{number} of {total}"
GRAY_ALT = "Grayscale picture"
COLOR_ALT = "Picture in colour"
NEXT = "Next"
PICTURES_FROM = "Pictures: {pictures_from}"

SOMEBODY_ELSE = "Somebody else rates at this device"

DONE_TITLE = "Thank you"
DONE = "All {total} ratings are stored. You can close this page."

UNREACHABLE = "The study cannot be reached at the moment. Please reload the page in a minute."
NO_RATING = "Please choose a rating from 0 to 10 first."
BAD_RATING = "{value!r} is not a rating: choose a number from 0 to 10 in steps of {step:g}."
UNKNOWN_SESSION = "This session is not known here. Reload the page to begin."
UNKNOWN_TRIAL = "That pair of pictures is not the one in front of you. Reload the page to go on."
