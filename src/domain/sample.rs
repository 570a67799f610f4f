//! What a new file starts from in the editor: an example in its format, as SOPS
//! offers one.

use crate::domain::store::Format;

/// The sample text of `format`.
pub fn text(format: Format) -> &'static str {
    match format {
        Format::Yaml => {
            "hello: Welcome! Edit this file as you please\n\
             example_key: example_value\n\
             # Example comment\n\
             example_array:\n    - example_value1\n    - example_value2\n\
             example_number: 1234.56789\n\
             example_booleans:\n    - true\n    - false\n"
        }
        Format::Json => {
            "{\n\t\"hello\": \"Welcome! Edit this file as you please\",\n\
             \t\"example_key\": \"example_value\",\n\
             \t\"example_array\": [\n\t\t\"example_value1\",\n\t\t\"example_value2\"\n\t],\n\
             \t\"example_number\": 1234.56789,\n\
             \t\"example_booleans\": [\n\t\ttrue,\n\t\tfalse\n\t]\n}\n"
        }
        Format::Dotenv => "example_key=example_value\n# Example comment\n",
        Format::Ini => "; Example comment\n[Welcome]\nexample_key = example_value\n",
        Format::Binary => "Welcome! Edit this file as you please\n",
    }
}
