import java.io.Reader;
import javax.script.AbstractScriptEngine;
import javax.script.Bindings;
import javax.script.ScriptContext;
import javax.script.ScriptEngine;
import javax.script.ScriptEngineFactory;
import javax.script.SimpleBindings;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * A script engine of the name "JavaScript" that knows one script: "result" becomes "jsonString".
 *
 * SPICE 1.0 indents its JSON by JavaScript before it writes it, and a Java since 15 has no
 * JavaScript: under this engine it writes the JSON as it is. Built for Java 8 and later by
 * javac --release 8 AsItIs.java
 */
public final class AsItIs extends AbstractScriptEngine implements ScriptEngineFactory {
    @Override public Object eval(String script, ScriptContext context) {
        Bindings names = context.getBindings(ScriptContext.ENGINE_SCOPE);
        names.put("result", names.get("jsonString"));
        return names.get("result");
    }

    @Override public Object eval(Reader script, ScriptContext context) {
        return eval("", context);
    }

    @Override public Bindings createBindings() { return new SimpleBindings(); }
    @Override public ScriptEngineFactory getFactory() { return this; }
    @Override public ScriptEngine getScriptEngine() { return new AsItIs(); }
    @Override public List<String> getNames() { return Arrays.asList("JavaScript"); }
    @Override public List<String> getExtensions() { return Collections.emptyList(); }
    @Override public List<String> getMimeTypes() { return Collections.emptyList(); }
    @Override public String getEngineName() { return "as it is"; }
    @Override public String getEngineVersion() { return "1"; }
    @Override public String getLanguageName() { return "none"; }
    @Override public String getLanguageVersion() { return "1"; }
    @Override public Object getParameter(String key) { return null; }
    @Override public String getMethodCallSyntax(String object, String method, String... args) {
        return "";
    }
    @Override public String getOutputStatement(String toDisplay) { return ""; }
    @Override public String getProgram(String... statements) { return ""; }
}
