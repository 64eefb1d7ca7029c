"""The templates, as upstream has them."""

SFT_GEN_PROMPT = """# Instruction
{}

# Caption
{}

# Metas
{}<|endoftext|>
"""
DEFAULT_DIT_INSTRUCTION = "Fill the audio semantic mask based on the given conditions:"
TASK_INSTRUCTIONS = {
    "text2music": DEFAULT_DIT_INSTRUCTION,
    "cover": "Generate audio semantic tokens based on the given conditions:",
}
